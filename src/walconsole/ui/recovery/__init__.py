"""The recovery screen: to which moments a restore can go, from which base backup, and how by hand."""
