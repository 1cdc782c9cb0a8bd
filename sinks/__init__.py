"""Where results go: the delivery engine, and the sinks that are no vendor of ours.

Two shapes. *Fields* are level-triggered: table `desired` says what each account should show at each destination, and
what differs from what is shown is pushed. *Alerts* are edge-triggered: table `alerts` holds one row per destination
and alert. Rooms write the rows, one worker per destination empties them.

What is promised: a destination ends at the newest value and never shows an older one after a newer; a push whose end
was never learned (a crash, a timeout) is made again. So a field may be written twice, which changes nothing, and an
alert may be sent twice, if the crash fell between the destination's yes and our commit: both carry the same key.
"""
