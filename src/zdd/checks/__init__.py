"""What looks at a project and changes nothing."""
