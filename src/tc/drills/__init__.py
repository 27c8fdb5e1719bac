"""Drills: experiments on running paper runs that prove what a control does, and their evidence."""
