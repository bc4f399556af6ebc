"""What a cell will cost, before it ran: its work counted from its configuration, at rates fitted to cells that ran."""
