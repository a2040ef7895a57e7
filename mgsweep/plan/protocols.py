"""How the study was run: for each setting, the values a field of `Trial` may have, and where that is known from.

A table to read, and what the sweeps that reproduce the study are tested against. Any value can be changed in a sweep
file; docs/protocols.md says what the choices mean and where mgsweep departs from them.

Sources:
    paper: Rao et al., ICCV 2023, main text. Its supplement was not at hand.
    code: the code and README that its authors released, github.com/sukrutrao/Model-Guidance.
    tmlr: the reproduction in TMLR, github.com/ryan-ott/model-guidance-reproducibility.
    fact: the reproduction of a course at the University of Amsterdam, github.com/rensdebee/FACTifAI_2024_3.
    fork: logs of github.com/hadimz/Model-Guidance.
    assumed: no source says; the nearest known value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mgsweep.trial import Trial

Values = Mapping[str, tuple[Any, ...]]
"""Fields of a trial and the values each may have."""


class Rule(NamedTuple):
    """Trials whose fields have these values (`when`) have one of those (`then`), as `source` tells."""

    when: Values
    then: Values
    source: str


VOC, COCO, BIRDS = (
    {"dataset": ("voc2007",)},
    {"dataset": ("coco2014",)},
    {"dataset": ("waterbirds", "waterbirds_reversed")},
)
BASELINE = {"loss": ("none",)}
GUIDED = {"loss": ("energy", "l1", "ppce", "rrr")}
FEW = {"bbox_fraction": (0.01, 0.1)}

RULES = (
    # Everywhere, unless a rule below says otherwise.
    Rule({}, {"image_size": (224,), "weights": ("imagenet",), "augmentation": ("none",)}, "code"),
    Rule({}, {"batch_size": (64,), "learning_rate": (1e-4,), "seed": (0,)}, "code"),
    Rule(GUIDED, {"start": ("baseline",), "guidance_source": ("box",), "guidance_region": ("inside",)}, "code"),
    Rule(GUIDED, {"bbox_fraction": (1.0,), "bbox_dilation": (0.0,)}, "paper"),
    # Models, and the attribution that each is guided by. GradCAM is in the supplement.
    Rule({"model": ("vanilla", "xdnn")}, {"backbone": ("resnet50",)}, "paper"),
    Rule({"model": ("bcos",)}, {"backbone": ("resnet50", "densenet121", "vitc_s")}, "paper, Figure 7"),
    Rule({**GUIDED, "model": ("vanilla",)}, {"attribution": ("ixg", "gradcam")}, "paper"),
    Rule({**GUIDED, "model": ("xdnn",)}, {"attribution": ("intgrad", "gradcam")}, "paper"),
    Rule({**GUIDED, "model": ("bcos",)}, {"attribution": ("bcos", "gradcam")}, "paper"),
    Rule(GUIDED, {"depth": ("input", "mid1", "mid2", "mid3", "final")}, "paper"),
    Rule({**GUIDED, "attribution": ("gradcam",)}, {"depth": ("final",)}, "assumed"),
    # VOC 2007. The same lambdas for every model, depth and dilation.
    Rule({**VOC, **BASELINE}, {"epochs": (300,)}, "code"),
    Rule({**VOC, **GUIDED}, {"epochs": (50,)}, "code"),
    Rule({"loss": ("energy",)}, {"lambda_loc": (5e-4, 1e-3, 5e-3)}, "fact; 1e-3 in code"),
    Rule({"loss": ("l1",)}, {"lambda_loc": (1e-3, 5e-3, 1e-2)}, "fact"),
    Rule({"loss": ("ppce",)}, {"lambda_loc": (1e-4, 5e-4, 1e-3)}, "fact"),
    Rule({"loss": ("rrr",)}, {"lambda_loc": (5e-6, 1e-5, 5e-5)}, "fact"),
    # Coarse boxes, and few of them: these need larger lambdas, as the loss is a sum over the annotated images.
    Rule({**VOC, "loss": ("energy", "l1"), "depth": ("input",)}, {"bbox_dilation": (0.0, 0.1, 0.25, 0.5)}, "paper"),
    Rule({**VOC, "loss": ("energy", "l1"), "depth": ("input",)}, {"bbox_fraction": (1.0, 0.01, 0.1)}, "paper"),
    Rule({**VOC, **FEW, "loss": ("energy",)}, {"lambda_loc": (0.05, 0.1, 0.5)}, "fact"),
    Rule({**VOC, **FEW, "loss": ("l1",)}, {"lambda_loc": (0.01, 0.1, 1.0)}, "fact"),
    # Masks: the 209 training images that have some, beside boxes of as many.
    Rule({**VOC, "loss": ("energy",), "depth": ("input",)}, {"guidance_source": ("box", "mask")}, "tmlr"),
    Rule({**VOC, "loss": ("energy",), "depth": ("input",)}, {"bbox_fraction": (1.0, 0.01, 0.1, 0.0836)}, "paper; tmlr"),
    Rule({**VOC, "bbox_fraction": (0.0836,)}, {"lambda_loc": (0.05, 0.1, 0.5)}, "assumed"),
    Rule({**VOC, "guidance_source": ("mask",)}, {"lambda_loc": (0.05, 0.1, 0.5)}, "assumed"),
    # COCO 2014. No lambdas are known but 1e-3 for energy at the input: those of VOC.
    Rule({**COCO, **BASELINE}, {"epochs": (60,)}, "fork"),
    Rule({**COCO, **GUIDED}, {"epochs": (10,)}, "tmlr; fork"),
    # Waterbirds-100. The paper has four runs with 1 % of the boxes, 47 images; the rest is a reproduction's.
    Rule(BIRDS, {"seed": (0, 1, 2, 3)}, "paper"),
    Rule(BIRDS, {"learning_rate": (1e-5,), "epochs": (350,), "augmentation": ("crop_flip",)}, "fact"),
    Rule({**BIRDS, **GUIDED}, {"bbox_fraction": (0.01,), "loss": ("energy", "l1")}, "paper"),
    Rule({**BIRDS, **GUIDED}, {"lambda_loc": (0.05,), "depth": ("input",), "batch_size": (32,)}, "fact"),
    Rule({**BIRDS, **GUIDED}, {"start": ("weights",)}, "fact"),
    Rule({"dataset": ("waterbirds_reversed",), **GUIDED}, {"guidance_region": ("outside",)}, "paper"),
)
"""Later rules take the place of earlier ones, field by field."""


def protocol(trial: Trial) -> dict[str, Rule]:
    """The rule that holds for each field of such a trial."""
    held: dict[str, Rule] = {}
    for rule in RULES:
        if all(getattr(trial, key) in values for key, values in rule.when.items()):
            held |= dict.fromkeys(rule.then, rule)
    return held


def departures(trial: Trial) -> dict[str, Rule]:
    """The fields of a trial that are not as in the study, with the rule that each departs from."""
    return {key: rule for key, rule in protocol(trial).items() if getattr(trial, key) not in rule.then[key]}
