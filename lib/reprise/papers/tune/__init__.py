"""Vélez Vásquez and Burgoyne 2022: a U-Net with a tail that learns representations of music without labels."""
