"""What each command runs, and the Prefect flow of the same name: one function, which imports no Prefect."""
