"""The steps of the pipeline. Each runs in a container of SageMaker, and on a laptop: python -m steps.train --local.

The containers have Python 3.9 or newer, scikit-learn or XGBoost, and NumPy; nothing else is used here.
"""
