"""The 15 visemes of Oculus on ARKit's shapes, as the author of TalkingHead and HeadAudio puts them.

Source: ``blender/build-visemes-from-arkit.py`` of met4citizen/TalkingHead (MIT), which makes the
viseme targets of a head that has ARKit's only; its manual tells users of HeadAudio to run it.
"""

from kmspeaker.evaluation.peers.peer import Shapes

OCULUS: Shapes = {
    "aa": {"jawOpen": 0.6},
    "E": {"mouthPress": 0.8, "mouthDimple": 1.0, "jawOpen": 0.3},
    "I": {"mouthPress": 0.6, "mouthDimple": 0.6, "jawOpen": 0.2},
    "O": {"mouthPucker": 1.0, "jawForward": 0.6, "jawOpen": 0.2},
    "U": {"mouthFunnel": 1.0},
    "PP": {"mouthRollLower": 0.8, "mouthRollUpper": 0.8, "mouthUpperUp": 0.3},
    "FF": {
        **{"mouthPucker": 1.0, "mouthShrugUpper": 1.0, "mouthLowerDown": 0.2},
        **{"mouthDimple": 1.0, "mouthRollLower": 1.0},
    },
    "DD": {"mouthPress": 0.8, "mouthFunnel": 0.5, "jawOpen": 0.2},
    "SS": {"mouthPress": 0.8, "mouthLowerDown": 0.5, "jawOpen": 0.1},
    "TH": {"mouthRollUpper": 0.6, "jawOpen": 0.2, "tongueOut": 0.4},
    "CH": {"mouthPucker": 0.5, "jawOpen": 0.2},
    "RR": {"mouthPucker": 0.5, "jawOpen": 0.2},
    "kk": {
        **{"mouthLowerDown": 0.4, "mouthDimple": 0.3, "mouthFunnel": 0.3},
        **{"mouthPucker": 0.3, "jawOpen": 0.15},
    },
    "nn": {
        **{"mouthLowerDown": 0.4, "mouthDimple": 0.3, "mouthFunnel": 0.3},
        **{"mouthPucker": 0.3, "jawOpen": 0.15, "tongueOut": 0.2},
    },
    "sil": {},
}
