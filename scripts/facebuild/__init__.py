"""Parts of ``scripts/build_face.py``: ICT-FaceKit becomes ``assets/face``."""
