"""What the steps, step 6 and the tools share: here parameters, files and the algorithm meet."""
