"""Processes: started, watched and seen to end here, nowhere else."""
