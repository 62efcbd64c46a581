"""nginx's text: rendered, parsed, judged. Text in, text out."""
