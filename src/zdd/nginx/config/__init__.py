"""nginx's text: render, parse and judge it. Text in, text out; nothing here touches the machine."""
