"""Of ``lerobot.processor``: the pipelines that every policy may use, which refuse to normalise without statistics."""

from pathlib import Path


class Pipeline:
    def __init__(self, name):
        self.name = name

    def __call__(self, given):
        return given

    def save_pretrained(self, folder):
        (Path(folder) / f"{self.name}.json").write_text("{}")


def make_default_pre_post_processors(config, dataset_stats):
    assert dataset_stats or {mode.value for mode in config.normalization_mapping.values()} == {"IDENTITY"}
    return Pipeline("policy_preprocessor"), Pipeline("policy_postprocessor")
