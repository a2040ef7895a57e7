"""What the listing commands show, as rows: of a plan, of the store, of one trial, of this machine."""
