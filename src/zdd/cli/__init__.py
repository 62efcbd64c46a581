"""The commands, one file each: options in, one call, output."""
