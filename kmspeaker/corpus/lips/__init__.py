"""Lips from phone times: visemes, coarticulation, contacts, and the rule's calibration."""
