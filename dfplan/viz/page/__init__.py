"""A run as one page that needs nothing else: tables, charts, moving pictures, and what can be looked into."""

from dfplan.viz.page.content import AgentView, Content, EpisodeView, Listing
from dfplan.viz.page.render import render_page

__all__ = ["AgentView", "Content", "EpisodeView", "Listing", "render_page"]
