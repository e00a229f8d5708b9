"""What everything else stands on: errors, files, images, tables, several processes."""
