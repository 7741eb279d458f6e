"""Is a mail host ready to send and take mail, seen from its name, its addresses and the world?"""
