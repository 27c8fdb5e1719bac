"""Bars in and out: imported or generated once, checked row by row, stored under a content fingerprint.

Nothing is imported here, so that commands which only list datasets never pay for numpy and pyarrow.
"""
