"""Taking a project or the installation down."""
