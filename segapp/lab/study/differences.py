"""Find the settings in which the configs of several runs differ."""

from segapp.checkpoints.merge import flatten_settings

BOOKKEEPING = ("name", "seed_everything")
"""Settings that differ between runs of the same variant."""


def find_differing_settings(configs: dict[str, dict]) -> list[dict[str, str]]:
    """Find the settings that are not the same in all configs.

    One row each, with its key and its value in each config.
    """
    settings = {name: flatten_settings(config) for name, config in configs.items()}
    keys = dict.fromkeys(key for values in settings.values() for key in values)
    rows = []
    for key in keys:
        values = {name: str(found.get(key, "–")) for name, found in settings.items()}
        if len(set(values.values())) > 1 and key not in BOOKKEEPING:
            rows.append({"setting": key, **values})
    return rows
