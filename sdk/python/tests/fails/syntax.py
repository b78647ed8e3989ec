# fails: SyntaxError
def f(:
    pass
