"""Licences of the foundation models, by their names in the configuration."""

from pathlib import Path

# Of models that are named on the hub or by open_clip, as their pages state them.
LICENCES = {
    "Salesforce/blip2-opt-2.7b": "mit; of the OPT inside: Meta's OPT licence, for research only",
    "ViT-L-14-quickgelu/openai": "mit",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "creativeml-openrail-m",
    "CompVis/stable-diffusion-v1-4": "creativeml-openrail-m",
}


def find_licence(name: str) -> str | None:
    """Find the licence of a model: what the card in its folder states, or its page on the hub."""
    card = Path(name) / "README.md"
    if card.is_file():
        for line in card.read_text(encoding="utf-8").partition("\n---\n")[0].splitlines():
            key, _, value = line.partition(":")
            if key == "license" and value.strip():
                return value.strip()
    return LICENCES.get(name)
