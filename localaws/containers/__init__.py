"""What runs inside the containers that the embedded AWS starts, each as a process of its own."""
