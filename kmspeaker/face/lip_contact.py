"""When lips count as closed, and as meeting the teeth: one definition for all who ask.

All in millimetres on the rig. The paper gives no threshold; these are ours. Half a millimetre is
about the least that shows in a picture of a whole head.
"""

CLOSED, APART = 0.5, 2.0
"""Opening above the neutral face's (``FaceModel.lip_opening``): up to the first lips count as
closed, from the second on as apart; between them they are neither."""

MET, UNMET = 1.5, 2.5
"""The same of the distance from lower lip to upper teeth (``FaceModel.teeth_gap``), which f and v
close."""
