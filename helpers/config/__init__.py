"""The parameters: PARAMETERS.py, what is kept with a data set, the command line."""
