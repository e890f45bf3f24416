"""Of ``lerobot.processor``: the pipelines that every policy may use, which refuse to normalise without statistics."""


def make_default_pre_post_processors(config, dataset_stats):
    assert dataset_stats or {mode.value for mode in config.normalization_mapping.values()} == {"IDENTITY"}
    return (lambda batch: batch), (lambda action: action)
