"""Running a topology: a supervisor that decides, and workers that hold the devices.

Import from the modules: a worker process needs only its own.
"""
