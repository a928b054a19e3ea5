"""What several test modules need: builders of whole records."""
