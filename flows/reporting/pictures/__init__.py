"""The report's pictures: what they show, drawn as SVG by Vega."""
