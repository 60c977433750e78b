"""The rehearsal: the post's story on the embedded AWS, its report, other people's templates, notebooks."""
