import tomllib, plistlib, sched, wave, colorsys, mailbox, doctest, fileinput, imaplib, symtable, zipapp
print(tomllib.loads("a = [1, 2]\n[b]\nc = 1979-05-27"), plistlib.loads(plistlib.dumps({"k": [1, True]})), colorsys.rgb_to_hsv(1, 0.5, 0))
import json.encoder, xml.dom.expatbuilder, encodings.cp037, concurrent.futures.thread
print("hallo".encode("cp037").hex())
