import json
data = {"a": [1, 2.5, None, True, "\u00e4\n\"", 10**20], "b": {"c": []}}
print(json.dumps(data, sort_keys=True, indent=1), json.loads(json.dumps(data)) == data, json.dumps("ä", ensure_ascii=False))
try:
    json.loads("{'a': 1}")
except json.JSONDecodeError as error:
    print(error)
