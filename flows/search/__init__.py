"""A search over params with Optuna, each trial of it a trial of flows.trials.

search(...)      runs it, or goes on where it ended
"""

from flows.search.driver import Found, Why, search
from flows.search.study import Row

__all__ = ["Found", "Row", "Why", "search"]
