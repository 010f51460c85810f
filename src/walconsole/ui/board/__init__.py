"""What all screens share: panes and their lines, boxes, keys, themes, export."""
