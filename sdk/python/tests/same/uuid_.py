import uuid
print(uuid.uuid5(uuid.NAMESPACE_DNS, "grove.example"), uuid.UUID(int=5), uuid.uuid4().version)
