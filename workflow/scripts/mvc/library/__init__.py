"""What `import mvc` offers: thin functions of images, texts and tables that call the stages."""
