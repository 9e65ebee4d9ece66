"""`slipform-runtime bench`: load on a running server, closed-loop and open-loop, and a verdict on its objectives."""
