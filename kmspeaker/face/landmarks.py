"""Index tables: mediapipe's landmarks, the pairs across lips and lids, and the rig's regions.

mediapipe numbers its 478 landmarks by its canonical face (``face_landmarker.task``, mesh of 468
points, then five for each iris). "Right" is the subject's right, whose numbers are the smaller.
Nobody else writes a landmark's number: a test holds this.
"""

COUNT = 468
"""Landmarks of the face mesh; the rig has these."""
COUNT_WITH_IRISES = 478
"""Landmarks of a detection."""

# Lips
INNER_UPPER_LIP, INNER_LOWER_LIP = 13, 14
"""On the midline of the inner lips."""
MOUTH_CORNERS = (61, 291)
OUTER_LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375),
    *(291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
)
INNER_LIPS = (
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324),
    *(308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
"""Rings: from the right corner along the lower lip to the left one, and back along the upper."""
LIPS = OUTER_LIPS + INNER_LIPS
LIP_PAIRS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
"""Inner lips above each other: the midline, then one, two and three steps to either side."""
LIP_PAIRS_ACROSS = ((80, 88), (82, 87), (13, 14), (312, 317), (310, 318))
"""Five of them from the right corner to the left one: where lips must touch for p, b and m."""
LIP_RING = (61, 0, 291, 17, 13, 14, 78, 308, 37, 267, 84, 314)
"""Twelve points around the mouth, for measures of how lips move."""

# Eyes
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
"""Outer corner, upper lid, inner corner, lower lid."""
LID_PAIRS = (
    ((160, 144), (159, 145), (158, 153)),
    ((387, 373), (386, 374), (385, 380)),
)
"""Upper and lower lid above each other; the right eye's, then the left eye's."""
OUTER_EYES = (33, 263)
"""Outer corners of the right and the left eye: a size that expressions do not change."""
IRISES = (468, 473)
"""Centres of the right and the left iris."""

# Brows
BROWS = (
    *(70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
    *(300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
)
BROW_TOPS = (105, 107, 70, 334, 336, 300)
"""Middle, inner end and outer end of the right and the left brow."""

# The rest of the face
FOREHEAD, SUBNASAL, CHIN = 10, 2, 152
"""On the midline; from forehead to chin is down."""
JAW = (152, 148, 377, 176, 400, 149, 378, 175, 199, 200, 18, 83, 313)
CONTOUR = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379),
    *(150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The silhouette, which slides over the skin as the head turns."""
STABLE = (
    *(10, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356, 234, 454, 93, 323),
    *(8, 9, 168, 6, 197, 195, 5, 4, 1, 33, 263, 133, 362, 35, 265, 143, 372, 111, 340, 116, 345),
)
"""Forehead, temples, nose bridge and tip, eye corners, cheekbones: what expressions hardly move."""

# Regions of the rig's vertices (``FaceModel.region``), as the paper's App. B.3 names them.
R_LOWER, BAND, R_UPPER = 0, 1, 2
