import ast
print(ast.dump(ast.parse("x = a + 1").body[0].value.op), ast.literal_eval("{1: [2, (3,)]}"), ast.unparse(ast.parse("a+b*c")))
