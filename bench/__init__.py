"""zdd beside what one would pick instead, all on one machine: `./dev bench --help`."""
