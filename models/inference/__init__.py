"""Questions answered, whatever library runs the network; a library is imported when chosen."""
