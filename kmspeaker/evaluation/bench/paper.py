"""The paper's own figures (arXiv 2606.28568), on its own data: beside ours, never among them.

Place in the flow: ``tables`` prints them below the table of the same protocol.
"""

from collections.abc import Mapping

from kmspeaker.evaluation.table import Table

_NOTE = (
    "As the paper prints them, of its 3 test actors, its mesh of 13,473 vertices and networks of "
    "up to 50 million parameters: sizes cannot be compared with the table above, orders can. "
)

TABLES: Mapping[str, Table] = {
    "matching": Table(
        "paper-table-1",
        "The paper's Table 1, on its own data",
        ("system", "LVE (mm)", "MSE (mm)", "MOD (mm)", "FDD (0.01 mm)"),
        (
            ("MIMIC (released)", "2.48", "2.00", "0.68", "4.68"),
            ("MIMIC_finetune", "2.41", "1.97", "0.47", "4.59"),
            ("MIMIC_retrain", "0.85", "0.49", "0.50", "4.69"),
            ("MSMD (released)", "1.96", "1.10", "0.91", "9.38"),
            ("MSMD_finetune", "1.35", "0.73", "0.62", "6.38"),
            ("MSMD_retrain", "1.11", "0.65", "0.56", "4.51"),
            ("ours, MeshTalk's encoder", "1.10", "0.65", "0.50", "5.63"),
            ("ours, 1,660 keypoints", "0.83", "0.49", "0.46", "5.23"),
            ("ours, 68 keypoints", "0.78", "0.47", "0.45", "4.52"),
            ("ours (55)", "0.77", "0.45", "0.46", "4.31"),
        ),
        _NOTE + 'FDD is printed in "mm^-2", which we read as 0.01 mm; LVE suits our LVE mean.',
    ),
    "localization": Table(
        "paper-table-2",
        "The paper's Table 2, on its own data",
        ("system", "U-MSE (0.1 mm)", "LVE (mm)"),
        (
            ("MeshTalk (released)", "6.60", "1.68"),
            ("ours, MeshTalk's encoder", "5.64", "1.42"),
            ("ours, MeshTalk's masks", "2.81", "1.22"),
            ("ours, no disentanglement", "2.83", "1.32"),
            ("ours", "2.77", "1.02"),
        ),
        _NOTE + 'U-MSE is printed in "mm^-1", which we read as 0.1 mm.',
    ),
}
