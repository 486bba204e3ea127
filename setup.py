"""What pyproject.toml cannot say: the folder assets/ travels inside the package.

``kmspeaker/assets.py`` finds it there as ``kmspeaker/bundled``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["kmspeaker*"]), "kmspeaker.bundled"],
    package_dir={"kmspeaker.bundled": "assets"},
    package_data={
        "kmspeaker": ["py.typed"],
        "kmspeaker.bundled": ["**/*"],
        "kmspeaker.corpus": ["people.toml"],
        "kmspeaker.corpus.speech": ["sentences.toml"],
        "kmspeaker.evaluation.peers": ["*.mjs", "wlipsync.json"],
        "kmspeaker.export": ["*.glsl"],
        "kmspeaker.study": ["ready/*.yaml"],
        "kmspeaker.web": ["static/**"],
        "kmspeaker.web.study": ["static/*"],
    },
)
