"""The plots of a report, each an <svg> element of its page."""
