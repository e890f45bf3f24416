"""The settings of the library, each declared once with its default, meaning and range; nothing here needs torch."""
