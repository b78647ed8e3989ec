from email.message import EmailMessage
import email
m = EmailMessage()
m["Subject"] = "Grüße"
m["To"] = "a@example.org"
m.set_content("text\n")
print(m.as_string(), email.message_from_string("A: b\n\nbody")["A"])
