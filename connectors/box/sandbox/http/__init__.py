"""The sandbox's HTTP side: requests in, Box's JSON out."""
