"""The page's colours and type for Gradio's own components; ``page.css`` holds the rest."""

from gradio.themes import Base, LocalFont

_COLOURS = {
    "body_background_fill": "--km-page",
    "block_background_fill": "--km-panel",
    "block_border_color": "--km-line",
    "border_color_primary": "--km-line",
    "button_primary_background_fill": "--km-accent",
    "button_primary_background_fill_hover": "--km-accent-strong",
    "button_primary_text_color": "--km-on-accent",
    "body_text_color": "--km-ink",
    "body_text_color_subdued": "--km-soft",
    "block_info_text_color": "--km-soft",
    "block_label_text_color": "--km-ink",
    "block_title_text_color": "--km-ink",
    "background_fill_primary": "--km-panel",
    "background_fill_secondary": "--km-hover",
    "input_background_fill": "--km-panel",
    "input_placeholder_color": "--km-soft",
    "slider_color": "--km-accent",
    "checkbox_border_color": "--km-soft",
    "checkbox_background_color_selected": "--km-accent",
    "checkbox_border_color_selected": "--km-accent",
}
"""Which colour of ``page.css`` each of Gradio's takes, light and dark alike."""


def theme() -> Base:
    """The page's theme."""
    plain = {name: f"var({colour})" for name, colour in _COLOURS.items()}
    dark = {f"{name}_dark": value for name, value in plain.items()}
    return Base(
        primary_hue="sky",
        neutral_hue="stone",
        font=[
            LocalFont("IBM Plex Sans", weights=(400, 700)),
            "ui-sans-serif",
            "system-ui",
            "sans-serif",
        ],
        font_mono=[LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
        radius_size="lg",
    ).set(color_accent="var(--km-accent)", **plain, **dark)
