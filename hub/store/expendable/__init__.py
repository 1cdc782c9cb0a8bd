"""What is kept in Redis: nothing that anybody would miss. Gone, Pulsehub is slower; it is never wrong."""
